import { Resolver } from 'node:dns/promises';

/** What name servers say of a name. */
export async function lookup({ name, type, server }) {
  const resolver = new Resolver({ timeout: 5000, tries: 2 });
  if (server !== undefined) resolver.setServers([server]);
  const startedAt = performance.now();
  const records = await resolver.resolve(name, type).catch((error) => {
    throw Object.assign(new Error(`${type} of ${name}: ${error.message}`), {
      code: String(error.code).toLowerCase(),
    });
  });
  return {
    name,
    type,
    servers: resolver.getServers(),
    records: Array.isArray(records) ? records : [records],
    duration_ms: Math.round(performance.now() - startedAt),
  };
}
