/** `npm run bench -- [NAME …] [--runs N]`: one JSON line per case on stdout, talk on stderr. */
import { accept } from './accept.ts';
import { claim } from './claim.ts';
import { configuration } from './configuration.ts';
import { connections } from './connections.ts';
import { dispatch } from './dispatch.ts';
import { tell } from './measure.ts';
import { programs } from './programs.ts';
import { transfers } from './transfers.ts';
import { tunnels } from './tunnels.ts';

const benches = { dispatch, accept, connections, claim, programs, configuration, transfers, tunnels };
type Name = keyof typeof benches;

const isName = (text: string): text is Name => text in benches;

if (process.argv.includes('--help')) {
  tell(
    `npm run bench -- [NAME …] [--runs N], all of them without a name: ${Object.keys(benches).join(', ')}`,
  );
  process.exit(0);
}
const asked = process.argv.slice(2).filter((text) => /^[a-z]/.test(text));
const unknown = asked.filter((text) => !isName(text));
if (unknown.length > 0) {
  tell(`bench: unknown ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
for (const name of asked.length > 0 ? asked.filter(isName) : (Object.keys(benches) as Name[])) {
  tell(`== ${name}`);
  await benches[name]();
}
process.exit(0);
