// What a user of dockerode does on the first day. Prints what came of it; every name begins with "shop".
'use strict';

const Docker = require('dockerode');
const { PassThrough } = require('stream');

const docker = new Docker({ socketPath: process.env.SOCKET });
const tell = (what, ...values) => console.log(`${what}:`, ...values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))));
const refused = async (what, call) => {
  try {
    await call();
    tell(what, 'no error');
  } catch (e) {
    tell(what, String(e.statusCode), (e.json && e.json.message) || e.reason || e.message);
  }
};

// text collects a stream until its end.
const text = (stream) => new Promise((done, fail) => {
  let all = '';
  stream.on('data', (data) => { all += data; });
  stream.on('end', () => done(all));
  stream.on('error', fail);
});

// apart collects both channels of a multiplexed stream until its end.
const apart = (stream) => new Promise((done, fail) => {
  const out = new PassThrough();
  const err = new PassThrough();
  const both = Promise.all([text(out), text(err)]);
  docker.modem.demuxStream(stream, out, err);
  stream.on('end', () => { out.end(); err.end(); done(both); });
  stream.on('error', fail);
});

const follow = (stream) => new Promise((done, fail) => docker.modem.followProgress(stream, (e, lines) => (e ? fail(e) : done(lines))));

async function exec(box, options, start = {}) {
  const run = await box.exec({ AttachStdout: true, AttachStderr: true, ...options });
  const stream = await run.start(start);
  const said = options.Tty ? [await text(stream)] : await apart(stream);
  const { ExitCode, Running } = await run.inspect();
  return [said, ExitCode, Running];
}

async function containers() {
  const sink = new PassThrough();
  const said = text(sink);
  const [end, ran] = await docker.run('testbox', ['sh', '-c', 'echo out; exit 6'], sink, { Tty: true, HostConfig: { AutoRemove: true } });
  sink.end();
  tell('run', end, (await said).trim(), typeof ran.id);
  const box = await docker.createContainer({
    name: 'shop-node', Image: 'testbox', Cmd: ['sh', '-c', 'echo one; sleep 1000'], Env: ['A=1'], Labels: { 'org.example.shop': 'node' }, ExposedPorts: { '80/tcp': {} },
    HostConfig: { Init: true, PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] }, Binds: ['shop-node-data:/data'] },
  });
  await box.start();
  await refused('start of a started one', () => box.start());
  const seen = await box.inspect();
  tell('inspect', seen.State.Status, seen.Name, seen.NetworkSettings.Ports['80/tcp'].length, seen.Mounts[0].Name, seen.HostConfig.Binds);
  tell('list', (await docker.listContainers({ filters: { label: ['org.example.shop=node'] } })).map((c) => [c.Names, c.State, c.Ports.map((p) => p.PrivatePort)]));
  tell('exec', await exec(box, { Cmd: ['sh', '-c', 'env A; cat /none; exit 4'], WorkingDir: '/tmp' }));
  tell('exec over an upgrade', await exec(box, { Cmd: ['echo', 'upgraded'] }, { hijack: true, stdin: false }));
  tell('exec with a terminal', await exec(box, { Cmd: ['echo', 'terminal'], Tty: true }));
  const run = await box.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
  const duplex = await run.start({ hijack: true, stdin: true });
  const echoed = apart(duplex);
  duplex.end('through stdin');
  tell('exec with stdin', await echoed);
  tell('logs', (await box.logs({ stdout: true, stderr: true })).toString('latin1').slice(8));
  const followed = apart(await box.logs({ stdout: true, stderr: true, follow: true, tail: 1 }));
  await refused('a resize of one without a terminal', () => box.resize({ h: 10, w: 20 }));
  tell('top', (await box.top()).Processes.length > 0);
  tell('stats', (await box.stats({ stream: false })).name);
  await box.kill({ signal: 'SIGTERM' });
  tell('wait', await box.wait());
  tell('logs to their end', await followed);
  await refused('stop of a stopped one', () => box.stop());
  await refused('kill of a stopped one', () => box.kill());
  await box.remove({ v: true });
  await refused('inspect of nothing', () => box.inspect());
  await refused('create without an image', () => docker.createContainer({ Image: 'shop/none' }));

  const attached = await docker.createContainer({ name: 'shop-attach', Image: 'testbox', Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true });
  const wire = await attached.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const answer = apart(wire);
  await attached.start();
  wire.end('to the main process');
  tell('attach', await answer, await attached.wait());
  await attached.remove();
}

async function others() {
  const net = await docker.createNetwork({ Name: 'shop-node-net', CheckDuplicate: true, Labels: { a: 'b' } });
  await refused('a network that is there', () => docker.createNetwork({ Name: 'shop-node-net', CheckDuplicate: true }));
  const web = await docker.createContainer({ name: 'shop-web', Image: 'testbox', Cmd: ['httpd', ':80'], NetworkingConfig: { EndpointsConfig: { 'shop-node-net': { Aliases: ['site'] } } }, HostConfig: { NetworkMode: 'shop-node-net' } });
  await web.start();
  const peer = await docker.createContainer({ name: 'shop-peer', Image: 'testbox', Cmd: ['get', 'http://site/'] });
  await net.connect({ Container: peer.id });
  await peer.start();
  tell('network', (await peer.wait()).StatusCode, Object.values((await net.inspect()).Containers).map((c) => c.Name).sort());
  await net.disconnect({ Container: web.id, Force: true });
  await refused('a second disconnect', () => net.disconnect({ Container: web.id }));
  await web.remove({ force: true });
  await peer.remove({ force: true });
  await net.remove();
  const volume = docker.getVolume('shop-node-data');
  tell('volume', (await volume.inspect()).Driver);
  await volume.remove();
  await refused('a volume that is gone', () => volume.inspect());

  const built = await follow(await docker.buildImage({ context: __dirname, src: ['Dockerfile'] }, { t: 'shop/node:1' }));
  tell('build', built.filter((l) => l.stream && l.stream.startsWith('Step')).map((l) => l.stream.trim()), built.some((l) => l.aux && l.aux.ID.startsWith('sha256:')));
  tell('image', (await docker.getImage('shop/node:1').inspect()).RepoTags, (await docker.getImage('shop/node:1').history()).length);
  await docker.getImage('shop/node:1').tag({ repo: 'shop/node', tag: '2' });
  tell('images', (await docker.listImages({ filters: { reference: ['shop/*'] } })).map((i) => i.RepoTags.sort()));
  tell('remove', (await docker.getImage('shop/node:2').remove()).map((l) => Object.keys(l)[0]), (await docker.getImage('shop/node:1').remove())[0]);
  await refused('an image that is gone', () => docker.getImage('shop/node:1').inspect());
  tell('prunes', await docker.pruneContainers({ filters: { label: ['org.example.none'] } }));
}

async function events() {
  const stream = await docker.getEvents({ filters: { container: ['shop-seen'] } });
  const seen = [];
  const over = new Promise((done) => stream.on('data', (data) => {
    for (const line of data.toString().trim().split('\n')) {
      const event = JSON.parse(line);
      seen.push(event.Action);
      if (event.Action === 'destroy') done();
    }
  }));
  const box = await docker.createContainer({ name: 'shop-seen', Image: 'testbox', Cmd: ['true'] });
  await box.start();
  await box.wait();
  await box.remove();
  await over;
  stream.destroy();
  tell('events', seen);
}

async function main() {
  tell('ping', (await docker.ping()).toString());
  const info = await docker.info();
  tell('info', info.OSType, info.Swarm.LocalNodeState);
  tell('version', (await docker.version()).MinAPIVersion);
  await containers();
  await others();
  await events();
  await refused('swarm', () => docker.swarmInspect());
  tell('plugins', await docker.listPlugins());
}

main().catch((e) => { console.error(e); process.exitCode = 1; });
