"""An update as Watchtower makes it: a container is made anew out of what inspect says of the old one, with a new image."""

from wire import API, tar, tell

api = API("1.25")
net = api.post("/networks/create", None, {"Name": "shop-net"})["Id"]
old = api.make("shop-app", {"Image": "testbox", "Cmd": ["httpd", ":80"], "Env": ["A=1"], "Labels": {"com.centurylinklabs.watchtower.enable": "true"}, "Volumes": {"/anonymous": {}}, "StopSignal": "SIGTERM",
                            "ExposedPorts": {"80/tcp": {}}, "HostConfig": {"NetworkMode": "shop-net", "Binds": ["shop-data:/data"], "RestartPolicy": {"Name": "unless-stopped"}, "Memory": 67108864,
                                                                          "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}, "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}},
                            "NetworkingConfig": {"EndpointsConfig": {"shop-net": {"Aliases": ["app"]}}}})
conn, answer = api.send("POST", "/build", {"t": "shop/new:1"}, tar(Dockerfile="FROM testbox\nENV NEW=1\n"), {"Content-Type": "application/x-tar"})
tell("new image", answer.status, b"Successfully tagged shop/new:1" in answer.read())
conn.close()


def facts(box):
    full = api.get("/containers/%s/json" % box)
    host = full["HostConfig"]
    return {"cmd": full["Config"]["Cmd"], "env": sorted(full["Config"]["Env"]), "labels": full["Config"]["Labels"], "volumes": full["Config"]["Volumes"], "binds": host["Binds"], "restart": host["RestartPolicy"],
            "memory": host["Memory"], "ports": sorted(host["PortBindings"]), "log": host["LogConfig"], "networks": sorted(full["NetworkSettings"]["Networks"]), "mode": host["NetworkMode"], "status": full["State"]["Status"],
            "mounts": sorted(m["Destination"] for m in full["Mounts"]), "path": [full["Path"]] + full["Args"], "signal": full["Config"].get("StopSignal")}


before = facts(old)
tell("before", before)
full = api.get("/containers/%s/json" % old)
image = api.get("/images/%s/json" % full["Image"])
tell("image", image["RepoTags"], image["Id"] == full["Image"])
tell("stop", api.call("POST", "/containers/%s/stop" % old, {"t": "5"})[0])
tell("remove", api.call("DELETE", "/containers/%s" % old, {"force": "1"})[0])
body = full["Config"]
body["Image"] = "shop/new:1"
if body["Hostname"] == full["Id"][:12]:
    body["Hostname"] = ""
body["HostConfig"] = full["HostConfig"]
ends = full["NetworkSettings"]["Networks"]
for end in ends.values():
    end["Aliases"] = [a for a in end["Aliases"] if a != full["Id"][:12]]
body["NetworkingConfig"] = {"EndpointsConfig": ends}
new = api.make("shop-app", body)
after = facts(new)
tell("what changed", {k: [before[k], after[k]] for k in before if before[k] != after[k]})
tell("aliases", sorted(a for a in api.get("/containers/%s/json" % new)["NetworkSettings"]["Networks"]["shop-net"]["Aliases"] if a != new[:12]))
tell("the old image stays", api.call("GET", "/images/testbox/json")[0])
api.remove(new)
tell("removed", api.call("DELETE", "/networks/" + net)[0], api.call("DELETE", "/volumes/shop-data")[0], api.call("DELETE", "/images/shop/new:1")[0])
