import { runTool } from './run-tool.js';

/** Sends one packet per hop, each a hop further, until the host itself answers. */
export async function traceroute({ host, max_hops: maxHops, wait_seconds: waitSeconds }, { log, progress }) {
  const hops = [];
  for (let hop = 1; hop <= maxHops; hop += 1) {
    progress(Math.round((100 * (hop - 1)) / maxHops), `hop ${hop}`);
    const said = await ping(host, hop, waitSeconds);
    hops.push({ hop, address: said.address });
    log(`${hop} ${said.address ?? '*'}`);
    if (said.reached) return { host, reached: true, round_trip_ms: said.roundTripMs, hops };
  }
  return { host, reached: false, round_trip_ms: null, hops };
}

async function ping(host, hop, waitSeconds) {
  const args = ['-n', '-c', '1', '-t', String(hop), '-W', String(waitSeconds), host];
  const { exitCode, stdout, stderr } = await runTool('ping', args);
  // 0: the host answered; 1: it did not, somebody else may have; 2: ping itself failed.
  if (exitCode !== 0 && exitCode !== 1) {
    throw Object.assign(new Error(stderr.trim() || `ping ended with ${exitCode}`), { code: 'ping_failed' });
  }
  const address = /^(?:From|\d+ bytes from) (\S+?):?(?: |$)/m.exec(stdout)?.[1] ?? null;
  const time = /time[=<]([\d.]+) ms/.exec(stdout)?.[1];
  return { address, reached: exitCode === 0, roundTripMs: time === undefined ? null : Number(time) };
}
