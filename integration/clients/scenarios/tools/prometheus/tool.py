"""Prometheus' docker_sd: networks by id, then the list of containers with their ports."""

from wire import API, tell

api = API("1.44")
net = api.post("/networks/create", None, {"Name": "shop-scrape", "Labels": {"org.example.shop": "net"}})["Id"]
web = api.make("shop-web", {"Image": "testbox", "Cmd": ["httpd", ":80"], "Labels": {"prometheus.io/job": "web"}, "ExposedPorts": {"80/tcp": {}, "81/udp": {}},
                            "HostConfig": {"NetworkMode": "shop-scrape", "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}})
side = api.make("shop-side", {"Image": "testbox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "container:shop-web"}})
networks = {n["Id"]: n for n in api.get("/networks")}
for box in sorted(api.get("/containers/json", {"filters": {"name": ["shop-"]}}), key=lambda c: c["Names"]):
    tell("container", box["Names"], box["HostConfig"]["NetworkMode"].split(":")[0], {k: v for k, v in box["Labels"].items() if k.startswith("prom")}, box["State"])
    for port in sorted(box["Ports"], key=lambda p: p["PrivatePort"]):
        tell("port", port["PrivatePort"], port["Type"], port.get("IP", ""), "PublicPort" in port)
    for name, end in box["NetworkSettings"]["Networks"].items():
        known = networks[end["NetworkID"]]
        tell("network", name, known["Name"], known["Scope"], known["Internal"], known["Ingress"], known["Labels"], end["IPAddress"] != "")
for box in (side, web):
    api.remove(box)
tell("network removed", api.call("DELETE", "/networks/" + net)[0])
