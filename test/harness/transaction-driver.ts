import { apply, armed, confirmedState, crashFiles, TransactionUnderTest } from './linux-transaction.ts';

/**
 * A whole transaction in a process of its own, to be killed anywhere: `node transaction-driver.ts FOLDER [PLAN]`. PLAN is JSON: `files`
 * by path; `holdAt` ARMED, APPLYING or PROBING says where it stops until it is killed; then it prints that state.
 */
interface Plan {
  id?: string;
  deadlineSeconds?: number;
  files?: Record<string, string | null>;
  commands?: { argv: string[]; timeoutSeconds: number }[];
  holdAt?: 'ARMED' | 'APPLYING' | 'PROBING';
}

const [path, planText = '{}'] = process.argv.slice(2);
if (path === undefined) throw new Error('expected a folder');
const plan = JSON.parse(planText) as Plan;
const device = new TransactionUnderTest({ path, [Symbol.dispose]: () => {} });
const files = plan.files ?? crashFiles(device);

async function hold(state: Plan['holdAt']): Promise<void> {
  if (plan.holdAt !== state) return;
  process.stdout.write(`${state}\n`);
  process.stdin.resume(); // keeps the process
  await new Promise(() => {});
}

const commands = plan.commands ?? [{ argv: ['/bin/true'], timeoutSeconds: 5 }];
const { id, deadlineSeconds } = plan;
const workspace = await armed(device, {
  files,
  commands,
  ...(id === undefined ? {} : { id }),
  ...(deadlineSeconds === undefined ? {} : { deadlineSeconds }),
});
await hold('ARMED');
if (plan.holdAt === 'APPLYING') {
  const [first = ''] = Object.keys(files);
  await workspace.append('APPLYING', 'files');
  await workspace.install(first);
  await hold('APPLYING');
}
await apply(workspace, files);
await hold('PROBING');
process.stdout.write(`${await workspace.confirm(confirmedState(workspace.id))}\n`);
