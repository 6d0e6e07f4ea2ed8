// dockerode, the library of node programs (Uptime Kuma, Dockge, Homepage …).
'use strict';
const Docker = require(process.env.NODE_MODULES + '/dockerode');
const { PassThrough } = require('stream');

const client = new Docker({ socketPath: process.env.SOCKET });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const once = (stream, event) => new Promise((done) => stream.once(event, done));

async function step(title, work) {
  console.log('## ' + title);
  try {
    const told = await work();
    if (told !== undefined) console.log(JSON.stringify(told));
  } catch (error) {
    console.log(`error ${error.statusCode}: ${error.message}`);
  }
}

function collected(stream) {
  const whole = { text: '' };
  stream.on('data', (part) => (whole.text += part));
  return whole;
}

// Both streams of an attach or exec, taken apart; ends with the connection.
async function apart(stream) {
  const out = new PassThrough(), text = collected(out);
  client.modem.demuxStream(stream, out, out);
  await once(stream, 'end');
  await pause(50);
  return text.text;
}

async function main() {
  await step('ping, version, info, df', async () => [
    (await client.ping()).toString(), (await client.version()).Version, (await client.info()).OSType, Object.keys(await client.df()).length > 3,
  ]);
  await step('lists', async () => [
    await client.listContainers({ all: true, filters: { label: ['a=b'] } }),
    (await client.listImages()).map((image) => image.RepoTags),
    (await client.listNetworks()).map((network) => network.Name).sort(),
    (await client.listVolumes()).Volumes,
  ]);

  const events = await client.getEvents({ filters: { type: ['container'], container: ['js1'] } });
  const seen = [];
  events.on('data', (part) => part.toString().trim().split('\n').forEach((line) => seen.push(JSON.parse(line).Action)));

  await step('attach with hijack, end of input', async () => {
    const container = await client.createContainer({ Image: 'base', Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, name: 'js1' });
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    await container.start();
    stream.write('hello\n');
    stream.end();
    const text = await apart(stream);
    const ended = await container.wait();
    await container.remove();
    return [text, ended.StatusCode];
  });
  await step('attach without hijack', async () => {
    const container = await client.createContainer({ Image: 'base', Cmd: ['echo', 'plain'] });
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const whole = apart(stream);
    await container.start();
    await container.wait();
    await container.remove();
    return whole;
  });
  await step('run', async () => {
    const out = new PassThrough(), text = collected(out);
    const [ended, container] = await client.run('base', ['echo', 'run'], out, { HostConfig: { AutoRemove: false } });
    await container.remove();
    return [text.text, ended.StatusCode];
  });

  const running = await client.createContainer({ Image: 'base', Cmd: ['sh', '-c', 'while :; do echo t; sleep 0.1; done'], name: 'js2' });
  await running.start();
  await step('logs', async () => {
    await pause(400);
    const last = await running.logs({ stdout: true, tail: 1 });
    const stream = await running.logs({ stdout: true, follow: true });
    const followed = (await once(stream, 'data')).length > 0;
    stream.destroy();
    return [last.toString('latin1'), followed];
  });
  await step('stats', async () => {
    const single = (await running.stats({ stream: false })).name;
    const stream = await running.stats();
    const followed = (await once(stream, 'data')).length > 0;
    stream.destroy();
    return [single, followed];
  });
  await step('exec, end of input', async () => {
    const exec = await running.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    stream.write('e\n');
    stream.end();
    return [await apart(stream), (await exec.inspect()).ExitCode];
  });
  await step('exec, terminal, resized', async () => {
    const script = 'until [ "$(stty size 2>/dev/null)" = "30 90" ]; do sleep 0.1; done; echo resized; read x; echo got $x';
    const exec = await running.exec({ Cmd: ['sh', '-c', script], AttachStdin: true, AttachStdout: true, Tty: true });
    const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
    const whole = collected(stream);
    await exec.resize({ h: 30, w: 90 });
    stream.write('word\n');
    await once(stream, 'end');
    return [whole.text.split(/\s+/).sort(), (await exec.inspect()).ExitCode];
  });
  await step('archive', async () => {
    const stream = await running.getArchive({ path: '/etc/passwd' });
    const whole = collected(stream);
    await once(stream, 'end');
    return whole.text.includes('root:x:0:0');
  });
  await step('inspect, top, changes', async () => [(await running.inspect()).Name, (await running.top()).Titles, await running.changes()]);
  await step('build', async () => {
    const stream = await client.buildImage({ context: process.env.W + '/ctx', src: ['Dockerfile', 'f'] }, { t: 'jsb' });
    const said = await new Promise((done, failed) => client.modem.followProgress(stream, (error, all) => (error ? failed(error) : done(all))));
    await client.getImage('jsb').remove();
    return said.map((line) => line.stream || '').filter((line) => line.startsWith('Step'));
  });
  await step('pull fails', async () => client.pull('127.0.0.1:1/x:y'));
  await step('nothing there', async () => client.getContainer('nosuch').inspect());
  await step('stop, remove, prune', async () => {
    await running.stop({ t: 0 });
    await running.remove({ force: true, v: true });
    return Object.keys(await client.pruneContainers({ filters: { label: ['a=b'] } })).sort();
  });
  await step('events that were seen', async () => seen);
  events.destroy();
  process.exit(0);
}

main();
