"""A job of GitLab runner's docker executor: a network and a cache volume, a service, then helper and build containers that are
attached before their start and get their script on stdin."""

from wire import API, frames, tell, until

api = API("1.44")
job = {"com.gitlab.gitlab-runner.job.id": "42", "com.gitlab.gitlab-runner.managed": "true"}
tell("info", sorted(set(api.get("/info")) & {"OSType", "Architecture", "ServerVersion", "KernelVersion"}))
tell("image", api.get("/images/testbox/json")["Os"])
net = api.post("/networks/create", None, {"Name": "shop-job-42", "Labels": job, "Options": {}})["Id"]
tell("volume", api.post("/volumes/create", None, {"Name": "shop-cache", "Labels": job})["Name"])
service = api.make("shop-job-42-db", {"Image": "testbox", "Cmd": ["httpd", ":80"], "Labels": job, "HostConfig": {"NetworkMode": "shop-job-42", "RestartPolicy": {"Name": "no"}},
                                      "NetworkingConfig": {"EndpointsConfig": {"shop-job-42": {"Aliases": ["db", "postgres"]}}}})


def stage(name, script):
    """Runs a script in a container of its own; a container that is there by the name is removed first."""
    tell(name + " before", api.call("DELETE", "/containers/shop-job-42-" + name, {"force": "1", "v": "1"})[0])
    box = api.post("/containers/create", {"name": "shop-job-42-" + name}, {
        "Image": "testbox", "Cmd": ["sh"], "Labels": job, "Tty": False, "OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Env": ["CI=true"],
        "HostConfig": {"Binds": ["shop-cache:/builds"], "NetworkMode": "shop-job-42", "Privileged": False, "LogConfig": {"Type": "json-file", "Config": {}}, "RestartPolicy": {"Name": "no"}}})["Id"]
    status, kind, sock, stream = api.hijack("/containers/%s/attach" % box, {"stream": "1", "stdin": "1", "stdout": "1", "stderr": "1"})
    api.post("/containers/%s/start" % box)
    sock.sendall(script.encode())
    sock.shutdown(1)
    out, err = frames(stream)
    tell(name, status, kind, out.decode(), err.decode(), api.post("/containers/%s/wait" % box, {"condition": "not-running"})["StatusCode"])
    return box


boxes = [stage("predefined", "mkdir /builds/project; echo cloned > /builds/project/file"), stage("build", "cat /builds/project/file; env CI; get http://postgres/; exit 3")]
tell("by label", len(api.get("/containers/json", {"all": "1", "filters": {"label": ["com.gitlab.gitlab-runner.job.id=42"]}})))
tell("service's logs", frames(api.send("GET", "/containers/%s/logs" % service, {"stdout": "1", "stderr": "1", "timestamps": "0"})[1])[0].decode())
status, end = api.call("POST", "/networks/%s/disconnect" % net, None, {"Container": service, "Force": True})
tell("disconnect", status)
for box in [*boxes, service]:
    api.remove(box)
until("network removed", lambda: api.call("DELETE", "/networks/" + net)[0] == 204)
tell("volume removed", api.call("DELETE", "/volumes/shop-cache", {"force": "1"})[0])
