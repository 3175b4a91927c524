"""A job of act: a container that does nothing, files put into it, and every step an exec."""

from wire import API, frames, stat, tar, tell

api = API("1.44")
box = api.make("shop-act", {"Image": "testbox", "Entrypoint": ["sleep", "1000"], "Cmd": None, "Tty": True, "WorkingDir": "/work", "Env": ["RUNNER_TOOL_CACHE=/opt"], "HostConfig": {
    "Binds": ["/var/empty:/empty"], "Mounts": [{"Type": "volume", "Source": "shop-act-env", "Target": "/env"}], "NetworkMode": "bridge", "CapAdd": None, "CapDrop": None, "Privileged": False, "UsernsMode": "", "AutoRemove": True}})
tell("put", api.call("PUT", "/containers/%s/archive" % box, {"path": "/work/"}, tar(event="{}", script="echo step one; cat /work/event; exit 2\n"), {"Content-Type": "application/x-tar"})[0])


def step(command, **more):
    run = api.post("/containers/%s/exec" % box, None, {"Cmd": command, "AttachStdout": True, "AttachStderr": True, "Tty": False, **more})["Id"]
    status, kind, _, stream = api.hijack("/exec/%s/start" % run, None, {"Detach": False, "Tty": False})
    out, err = frames(stream)
    tell("step", status, kind, out.decode(), err.decode(), api.get("/exec/%s/json" % run)["ExitCode"])


step(["sh", "-c", "cat /work/script"], WorkingDir="/work", Env=["GITHUB_ACTIONS=true"])
step(["env", "GITHUB_ACTIONS"], Env=["GITHUB_ACTIONS=true"], User="user")
step(["no-such-command"])
_, answer = api.send("GET", "/containers/%s/archive" % box, {"path": "/work/event"})
seen = stat(answer.headers["X-Docker-Container-Path-Stat"])
tell("get", answer.status, seen["name"], seen["size"])
answer.read()
api.remove(box)
tell("volume removed", api.call("DELETE", "/volumes/shop-act-env", {"force": "1"})[0])
