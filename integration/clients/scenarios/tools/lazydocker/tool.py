"""lazydocker: everything listed, details of what is selected, and all events, which have it list again."""

import threading

from wire import API, frames, tell, until

api = API("1.25")
seen = []
events = api.lines("/events")
threading.Thread(target=lambda: [seen.append((e["Type"], e["Action"])) for e in events if e["Actor"]["Attributes"].get("name", e["Actor"]["ID"]).startswith("shop")], daemon=True).start()
box = api.make("shop-lazy", {"Image": "testbox", "Cmd": ["sh", "-c", "echo up; sleep 1000"], "HostConfig": {"Init": True, "Binds": ["shop-lazy-data:/data"]}})
tell("list", [(c["Names"], c["State"], c["Image"], c["Labels"]) for c in api.get("/containers/json", {"all": "1"}) if c["Names"] == ["/shop-lazy"]])
full = api.get("/containers/%s/json" % box)
tell("details", full["State"]["Status"], full["Config"]["Tty"], full["HostConfig"]["LogConfig"]["Type"], sorted(full["State"]))
stats = api.lines("/containers/%s/stats" % box, {"stream": "true"})
first, second = next(stats), next(stats)
tell("stats", second["cpu_stats"]["system_cpu_usage"] > first["cpu_stats"]["system_cpu_usage"], second["precpu_stats"]["cpu_usage"] == first["cpu_stats"]["cpu_usage"], "limit" in first["memory_stats"])
top = api.get("/containers/%s/top" % box)
tell("top", top["Titles"], len(top["Processes"]))
tell("logs", frames(api.send("GET", "/containers/%s/logs" % box, {"stdout": "1", "stderr": "1", "since": "0", "timestamps": "0"})[1])[0].decode())
tell("volumes", [v["Name"] for v in api.get("/volumes")["Volumes"] if v["Name"].startswith("shop")])
tell("history", [sorted(layer) for layer in api.get("/images/testbox/history")])
tell("attach", api.hijack("/containers/%s/attach" % box, {"stream": "1", "stdout": "1"})[:2])
tell("stop", api.call("POST", "/containers/%s/stop" % box, {"t": "1"})[0])
tell("prune", api.post("/containers/prune", {"filters": {"label": ["org.example.none"]}}))
api.remove(box)
api.call("DELETE", "/volumes/shop-lazy-data")
until("the end", lambda: ("volume", "destroy") in seen)
tell("events", [s for s in seen if s[0] in ("container", "volume")])
