// What a test that uses Testcontainers does, and what is left when it ends well, or without a word.
'use strict';

const { GenericContainer, Network, Wait } = require('testcontainers');
const http = require('http');

const tell = (what, ...values) => console.log(`${what}:`, ...values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))));
const get = (url) => new Promise((done, fail) => http.get(url, (r) => {
  let body = '';
  r.on('data', (d) => { body += d; });
  r.on('end', () => done(body));
}).on('error', fail));
const ours = { 'org.example.shop': 'tc' };

async function firstDay() {
  const alive = setInterval(() => {}, 1000); // the client's log streams keep no program alive
  const network = await new Network().start();
  const web = await new GenericContainer('testbox')
    .withCommand(['httpd', ':80', 'from testcontainers'])
    .withExposedPorts(80)
    .withLabels(ours)
    .withNetwork(network)
    .withNetworkAliases('web')
    .withWaitStrategy(Wait.forHttp('/', 80))
    .start();
  tell('http', (await get(`http://${web.getHost()}:${web.getMappedPort(80)}/`)).split('\n')[0]);
  const worker = await new GenericContainer('testbox')
    .withCommand(['sh', '-c', 'echo ready to work; cat /conf; sleep 1000'])
    .withEnvironment({ A: '1' })
    .withLabels(ours)
    .withNetwork(network)
    .withCopyContentToContainer([{ content: 'a setting\n', target: '/conf' }])
    .withTmpFs({ '/scratch': 'rw,size=1m' })
    .withUlimits({ nofile: { soft: 100, hard: 200 } })
    .withHealthCheck({ test: ['CMD', 'test', '-f', '/conf'], interval: 200, timeout: 5000, retries: 50 })
    .withWaitStrategy(Wait.forAll([Wait.forHealthCheck(), Wait.forLogMessage('ready to work')]))
    .start();
  tell('exec', await worker.exec(['sh', '-c', 'env A; cat /conf; exit 3']));
  tell('exec elsewhere', (await worker.exec(['pwd'], { workingDir: '/tmp', user: 'user' })).output);
  tell('names', (await worker.exec(['get', 'http://web/'])).output.split('\n')[0]);
  await worker.copyContentToContainer([{ content: 'later', target: '/tmp/later' }]);
  tell('copied', (await worker.exec(['cat', '/tmp/later'])).output);
  const lines = [];
  const logs = await worker.logs();
  await new Promise((done) => logs.on('data', (l) => { lines.push(l.toString().trim()); if (lines.join('\n').includes('a setting')) done(); }));
  logs.destroy();
  tell('logs', lines.join('|'));
  await worker.restart({ timeout: 0 });
  tell('restarted', (await worker.exec(['cat', '/conf'])).output);
  try {
    await new GenericContainer('testbox').withCommand(['exit', '7']).withLabels(ours).withWaitStrategy(Wait.forLogMessage('never')).withStartupTimeout(20000).start();
  } catch (e) {
    tell('a container that ends', e.message.replace(/[0-9a-f]{64}/, 'ID'));
  }
  const stopped = await worker.stop();
  tell('stopped', typeof stopped.getId());
  await web.stop();
  await network.stop();
  clearInterval(alive);
}

// crash leaves a container to the reaper.
async function crash() {
  await new GenericContainer('testbox').withCommand(['sleep', '1000']).withLabels(ours).start();
  tell('left to the reaper', true);
  process.kill(process.pid, 'SIGKILL');
}

({ 'first-day': firstDay, crash })[process.argv[2]]().catch((e) => { console.error(e); process.exitCode = 1; });
