"""What a user of docker-py does on the first day. Prints what came of it; every name begins with "shop"."""

import io
import tarfile

import docker
from docker import errors, types


def tell(what, *values):
    print(what + ":", *values, flush=True)


def refused(what, call):
    """Tells which error a call ends with."""
    try:
        call()
        tell(what, "no error")
    except errors.APIError as e:
        tell(what, type(e).__name__, e.status_code, e.explanation)
    except (errors.ContainerError, errors.DockerException) as e:
        tell(what, type(e).__name__, e)


def archive(name, content):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


def containers(c):
    tell("run", c.containers.run("testbox", ["echo", "hello"], remove=True))
    tell("run with both streams", c.containers.run("testbox", ["sh", "-c", "cat /none; echo out"], remove=True, stdout=True, stderr=False))
    refused("run that fails", lambda: c.containers.run("testbox", ["exit", "3"], remove=True))
    refused("run of nothing", lambda: c.containers.run("testbox", ["/no/such"], name="shop-none"))
    c.containers.get("shop-none").remove()
    refused("get of nothing", lambda: c.containers.get("shop-none"))
    box = c.containers.run("testbox", ["sh", "-c", "echo one; sleep 1000"], name="shop-py", detach=True, init=True, environment={"A": "1"},
                           labels={"org.example.shop": "py"}, ports={"80/tcp": ("127.0.0.1", None)}, mem_limit="64m", restart_policy={"Name": "on-failure", "MaximumRetryCount": 2},
                           ulimits=[types.Ulimit(name="nofile", soft=100, hard=200)], volumes={"shop-py-data": {"bind": "/data", "mode": "rw"}}, tmpfs={"/scratch": "size=1m"})
    box.reload()
    tell("status", box.status, box.name, box.labels.get("org.example.shop"), box.image.tags)
    tell("ports", [p["HostIp"] for p in box.ports["80/tcp"]])
    tell("exec", box.exec_run(["sh", "-c", "env A; pwd; exit 4"], workdir="/tmp"))
    tell("exec with both streams", box.exec_run(["sh", "-c", "cat /none; echo out"], demux=True))
    tell("exec as a stream", b"".join(box.exec_run(["lines", "3"], stream=True).output).split())
    tell("logs", box.logs(), box.logs(tail=0), box.logs(stderr=False).decode().split())
    tell("put", box.put_archive("/tmp", archive("note", b"written by python")), box.exec_run(["cat", "/tmp/note"]).output)
    stream, stat = box.get_archive("/tmp/note")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        tell("get", stat["name"], stat["size"], tar.extractfile("note").read())
    refused("get of no file", lambda: box.get_archive("/no/such"))
    tell("diff", sorted((d["Path"], d["Kind"]) for d in box.diff() if d["Path"].startswith("/tmp")))
    tell("top", box.top()["Titles"][:2], len(box.top()["Processes"]))
    stats = box.stats(stream=False)
    tell("stats", stats["name"], stats["memory_stats"]["limit"], stats["memory_stats"]["usage"] > 0, stats["cpu_stats"]["online_cpus"] > 0, sorted(stats["networks"]))
    box.pause()
    box.reload()
    tell("paused", box.status)
    refused("exec in a paused one", lambda: box.exec_run("true"))
    box.unpause()
    tell("update", box.update(mem_limit="128m", memswap_limit="256m")["Warnings"])
    box.rename("shop-py-2")
    box.reload()
    tell("renamed", box.name)
    refused("a name that is taken", lambda: c.containers.create("testbox", name="shop-py-2"))
    refused("removal of a running one", box.remove)
    tell("list", [x.name for x in c.containers.list(filters={"label": "org.example.shop=py"})], c.containers.list(filters={"name": "shop-py", "status": "exited"}))
    box.kill("SIGUSR1")
    box.stop(timeout=1)
    tell("wait", box.wait(timeout=30))
    refused("kill of a stopped one", box.kill)
    image = box.commit(repository="shop/py", tag="1", message="by python", changes=["ENV B=2", "CMD [\"cat\", \"/tmp/note\"]"])
    tell("commit", image.tags, [e for e in image.attrs["Config"]["Env"] if e.startswith(("A", "B"))], image.attrs["Comment"], image.history()[0]["Comment"])
    tell("run of the commit", c.containers.run("shop/py:1", remove=True))
    box.start()
    box.restart(timeout=0)
    box.reload()
    tell("restarted", box.status, box.attrs["RestartCount"])
    tell("logs again", sorted(set(box.logs().split())))
    box.remove(force=True, v=True)
    waiting = c.containers.create("testbox", ["echo", "late"], name="shop-late")
    stream = waiting.attach(stdout=True, stream=True, logs=True)
    waiting.start()
    tell("attach before the start", b"".join(stream))
    waiting.remove(force=True)


def others(c):
    net = c.networks.create("shop-py-net", driver="bridge", ipam=types.IPAMConfig(pool_configs=[types.IPAMPool(subnet="10.231.11.0/24", gateway="10.231.11.1")]), labels={"a": "b"})
    web = c.containers.run("testbox", ["httpd", ":80"], name="shop-web", detach=True, network="shop-py-net")
    peer = c.containers.create("testbox", ["get", "http://site/"], name="shop-peer")
    net.disconnect(web)
    net.connect(web, aliases=["site"], ipv4_address="10.231.11.9")
    net.connect(peer)
    peer.start()
    tell("network", peer.wait()["StatusCode"], peer.logs().split()[:1], [x.name for x in net.containers], net.attrs["IPAM"]["Config"])
    net.reload()
    tell("members", [x.name for x in net.containers], [m["IPv4Address"] for m in net.attrs["Containers"].values()])
    refused("removal of a network in use", net.remove)
    for box in (web, peer):
        box.remove(force=True)
    net.remove()
    refused("a network that is gone", net.reload)
    refused("a volume that is not there", lambda: c.volumes.get("shop-none"))
    vol = c.volumes.get("shop-py-data")
    tell("volume", vol.name, vol.attrs["Driver"], vol.attrs["Scope"])
    vol.remove()

    image, log = c.images.build(fileobj=io.BytesIO(b"FROM testbox\nENV BUILT=1\nRUN echo built > /f\nCMD [\"cat\", \"/f\"]\n"), tag="shop/built:1", rm=True)
    tell("build", image.tags, [line["stream"].strip() for line in log if line.get("stream", "").startswith(("Step", "Successfully tagged"))])
    tell("run of the build", c.containers.run("shop/built:1", remove=True))
    try:
        c.images.build(fileobj=io.BytesIO(b"FROM testbox\nRUN exit 9\n"), rm=True, forcerm=True)
    except errors.BuildError as e:
        tell("build that fails", e.msg)
    tell("tag", image.tag("shop/other", "2"), sorted(c.images.get("shop/built:1").tags))
    saved = b"".join(image.save(named=True))
    c.images.remove("shop/other:2")
    c.images.remove("shop/built:1")
    refused("an image that is gone", lambda: c.images.get("shop/built:1"))
    tell("load", [x.tags for x in c.images.load(saved)])
    refused("pull of nothing", lambda: c.images.get("shop/none"))
    tell("images", sorted(t for x in c.images.list("shop/*") for t in x.tags))
    for name in ("shop/built:1", "shop/py:1"):
        c.images.remove(name, force=True)
    tell("prunes", c.containers.prune(filters={"label": "org.example.none"}), c.networks.prune(filters={"label": "org.example.none"}), c.volumes.prune(filters={"label": "org.example.none"}))


def events(c):
    stream = c.events(decode=True, filters={"container": "shop-seen"})
    c.containers.run("testbox", "true", name="shop-seen", remove=True)
    seen = []
    for event in stream:
        seen.append((event["Action"], event["Actor"]["Attributes"].get("exitCode"), event["from"]))
        if event["Action"] == "destroy":
            break
    stream.close()
    tell("events", seen)


def main():
    c = docker.from_env(timeout=60)
    tell("ping", c.ping())
    info, version = c.info(), c.version()
    tell("info", info["OSType"], info["MemTotal"] > 0, info["NCPU"] > 0, info["Swarm"]["LocalNodeState"])
    tell("version", version["Os"], version["MinAPIVersion"], [x["Name"] for x in version["Components"]][:1])
    tell("df", sorted(c.df())[:4])
    containers(c)
    others(c)
    events(c)
    refused("swarm", lambda: c.swarm.reload())
    tell("plugins", c.plugins.list())


main()
