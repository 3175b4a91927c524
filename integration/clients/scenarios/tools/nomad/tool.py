"""Nomad's docker driver: fingerprint, and a task's life with logs, stats, exec, restart and ports."""

import threading

from wire import API, frames, tell

api = API("1.47")
version = api.get("/version")
tell("fingerprint", "Version" in version, version["MinAPIVersion"], sorted(set(api.get("/info")) & {"OSType", "CgroupDriver", "Runtimes", "DefaultRuntime", "SecurityOptions"}))
bridge = [n for n in api.get("/networks") if n["Name"] == "bridge"][0]
tell("bridge", bridge["Driver"], bridge["IPAM"]["Config"][0]["Gateway"] != "")
tell("image", api.get("/images/testbox/json")["RepoTags"])
labels = {"com.hashicorp.nomad.alloc_id": "shop-alloc"}


def task():
    return api.post("/containers/create", {"name": "shop-task-1"}, {
        "Image": "testbox", "Cmd": ["sh", "-c", "echo task up; sleep 1000"], "Labels": labels, "Env": ["NOMAD_TASK_NAME=web"], "Hostname": "", "StopSignal": "SIGTERM", "ExposedPorts": {"80/tcp": {}, "80/udp": {}},
        "HostConfig": {"Init": True, "Memory": 67108864, "MemorySwap": 67108864, "MemoryReservation": 0, "CPUShares": 100, "CapDrop": ["net_raw"], "Binds": ["/var/empty:/alloc"], "NetworkMode": "default",
                       "LogConfig": {"Type": "json-file", "Config": {"max-file": "2", "max-size": "2m"}}, "PidsLimit": None, "MemorySwappiness": None, "ReadonlyRootfs": False,
                       "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}], "80/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}},
        "NetworkingConfig": {"EndpointsConfig": {"default": {}}}})["Id"]


box = task()
api.post("/containers/%s/start" % box)
full = api.get("/containers/%s/json" % box)
tell("task", full["State"]["Running"], full["HostConfig"]["CapDrop"], full["HostConfig"]["CpuShares"], sorted(full["NetworkSettings"]["Ports"]), full["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] != "")
ended = []
waiter = threading.Thread(target=lambda: ended.append(api.post("/containers/%s/wait" % box, {"condition": "not-running"})["StatusCode"]))
waiter.start()
logs = []
_, follow = api.send("GET", "/containers/%s/logs" % box, {"follow": "1", "stdout": "1", "stderr": "1", "since": "0.000000000", "tail": ""})
reader = threading.Thread(target=lambda: logs.append(frames(follow)[0].decode()))
reader.start()
stats = next(api.lines("/containers/%s/stats" % box, {"stream": "1"}))
tell("stats", stats["memory_stats"]["limit"], "usage" in stats["memory_stats"], stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0)
run = api.post("/containers/%s/exec" % box, None, {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": False, "Cmd": ["cat"]})["Id"]
_, _, sock, stream = api.hijack("/exec/%s/start" % run, None, {"Detach": False, "Tty": False})
sock.sendall(b"through exec")
sock.shutdown(1)
tell("exec", frames(stream)[0].decode(), api.get("/exec/%s/json" % run)["ExitCode"])
tell("signal", api.call("POST", "/containers/%s/kill" % box, {"signal": "SIGTERM"})[0])
waiter.join(60)
reader.join(60)
tell("ended", ended, logs)
full = api.get("/containers/%s/json" % box)
tell("state", full["State"]["Status"], full["State"]["ExitCode"], full["State"]["OOMKilled"], full["State"]["Error"])
tell("a name that is taken", *api.call("POST", "/containers/create", {"name": "shop-task-1"}, {"Image": "testbox"}))
api.remove(box)
box = task()
api.post("/containers/%s/start" % box)
tell("stop", api.call("POST", "/containers/%s/stop" % box, {"t": "5", "signal": "SIGTERM"})[0], api.call("POST", "/containers/%s/stop" % box, {"t": "5"})[0])
api.remove(box)
tell("gone", *api.call("GET", "/containers/%s/json" % box))
