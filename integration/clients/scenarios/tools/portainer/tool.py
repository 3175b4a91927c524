"""Portainer: its snapshot of an engine, and what its pages ask on the way through its proxy."""

from wire import API, frames, tell

api = API()
_, answer = api.send("GET", "/_ping")
tell("ping", answer.status, answer.headers["Ostype"], answer.headers["Swarm"], answer.read().decode())
box = api.make("shop-web", {"Image": "testbox", "Cmd": ["sh", "-c", "echo up; sleep 1000"], "HostConfig": {"Init": True, "Binds": ["shop-data:/data"], "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}})
info = api.get("/info")
tell("info", info["Swarm"]["LocalNodeState"], info["Swarm"]["ControlAvailable"], sorted(info["Plugins"]), info["NCPU"] > 0, info["MemTotal"] > 0)
row = [c for c in api.get("/containers/json", {"all": "1"}) if c["Names"] == ["/shop-web"]][0]
tell("row", sorted(row), row["State"], row["HostConfig"], [m["Name"] for m in row["Mounts"]])
full = api.get("/containers/%s/json" % box)
tell("inspect", sorted(full), sorted(full["State"]), sorted(full["NetworkSettings"]["Networks"]["bridge"]))
tell("volumes", [sorted(v) for v in api.get("/volumes")["Volumes"] if v["Name"] == "shop-data"], api.get("/volumes", {"filters": {"dangling": ["true"], "name": ["shop"]}})["Volumes"])
tell("networks", [sorted(n) for n in api.get("/networks") if n["Name"] == "bridge"])
tell("images", [sorted(i) for i in api.get("/images/json", {"all": "0"}) if i["RepoTags"] == ["testbox:latest"]])
for path in ("/nodes", "/services", "/swarm", "/tasks", "/secrets", "/configs"):
    tell(path, *api.call("GET", path))
tell("plugins", api.get("/plugins"))
run = api.post("/containers/%s/exec" % box, None, {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": True, "Cmd": ["sh"], "User": ""})["Id"]
status, kind, sock, stream = api.hijack("/exec/%s/start" % run, None, {"Tty": True, "Detach": False})
tell("resize", api.call("POST", "/exec/%s/resize" % run, {"h": "24", "w": "80"})[0])
sock.sendall(b"echo console; exit 0\n\x04")
text = stream.read()
tell("console", status, kind, b"console" in text, api.get("/exec/%s/json" % run)["ExitCode"] is not None)
tell("logs", frames(api.send("GET", "/containers/%s/logs" % box, {"stdout": "1", "stderr": "1", "tail": "100", "timestamps": "0", "since": "0"})[1])[0].decode())
stats = api.get("/containers/%s/stats" % box, {"stream": "false"})
tell("stats", sorted(stats), sorted(stats["cpu_stats"]), sorted(stats["networks"]["eth0"]))
tell("top", api.get("/containers/%s/top" % box, {"ps_args": "aux"})["Titles"][:2])
tell("rename", api.call("POST", "/containers/%s/rename" % box, {"name": "shop-renamed"})[0])
tell("update", api.post("/containers/%s/update" % box, None, {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}, "Memory": 0})["Warnings"])
tell("commit", "Id" in api.post("/commit", {"container": box, "repo": "shop/snap", "tag": "1"}))
tell("history", len(api.get("/images/shop/snap:1/history")))
tell("image removed", api.call("DELETE", "/images/shop/snap:1", {"force": "false"})[1][0])
tell("restart", api.call("POST", "/containers/%s/restart" % box, {"t": "0"})[0])
api.remove(box)
tell("volume removed", api.call("DELETE", "/volumes/shop-data", {"force": "false"})[0])
