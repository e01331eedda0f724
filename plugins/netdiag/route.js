import { runTool } from './run-tool.js';

/** Which way the device sends packets for an address. */
export async function route({ address }) {
  const { exitCode, stdout, stderr } = await runTool('ip', ['-json', 'route', 'get', address]);
  if (exitCode !== 0) {
    throw Object.assign(new Error(stderr.trim() || `no route to ${address}`), { code: 'no_route' });
  }
  const [way = {}] = JSON.parse(stdout);
  return {
    address,
    interface: way.dev ?? null,
    gateway: way.gateway ?? null,
    source: way.prefsrc ?? null,
  };
}
