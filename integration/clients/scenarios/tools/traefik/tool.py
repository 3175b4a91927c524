"""Traefik's Docker provider, as of the versions that pin API 1.24: version, list, inspect of each, events of containers."""

import threading

from wire import API, tell, until

api = API("1.24")
tell("version", sorted(set(api.get("/version")) & {"Version", "ApiVersion", "Os", "Arch", "KernelVersion"}))
seen = []
events = api.lines("/events", {"filters": {"type": ["container"]}})
threading.Thread(target=lambda: [seen.append((e["Action"], e["Actor"]["Attributes"]["name"])) for e in events], daemon=True).start()

net = api.post("/networks/create", None, {"Name": "shop-proxy", "Driver": "bridge"})["Id"]
labels = {"traefik.enable": "true", "traefik.http.routers.web.rule": "Host(`web.localhost`)", "traefik.http.services.web.loadbalancer.server.port": "80"}
web = api.make("shop-web", {"Image": "testbox", "Cmd": ["httpd", ":80"], "Labels": labels, "ExposedPorts": {"80/tcp": {}}, "HostConfig": {"NetworkMode": "shop-proxy"},
                            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 200000000}})
until("health", lambda: ("health_status: healthy", "shop-web") in seen)
for box in api.get("/containers/json"):
    if box["Names"] != ["/shop-web"]:
        continue
    full = api.get("/containers/%s/json" % box["Id"])
    tell("container", full["Name"], full["State"]["Health"]["Status"], full["HostConfig"]["NetworkMode"], full["NetworkSettings"]["Ports"], {k: v for k, v in full["Config"]["Labels"].items() if k.startswith("traefik")})
    for name, end in full["NetworkSettings"]["Networks"].items():
        tell("server", name, end["IPAddress"] != "", end["NetworkID"] == net)
api.call("POST", "/containers/%s/stop" % web, {"t": "1"})
until("die", lambda: ("die", "shop-web") in seen)
api.remove(web)
tell("acts on", [action for action, name in seen if name == "shop-web" and action in ("start", "die") or action.startswith("health_status")])
status, _ = api.call("DELETE", "/networks/" + net)
tell("network removed", status)
