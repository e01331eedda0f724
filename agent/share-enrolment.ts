import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from './command-error.ts';
import type { DataFolder } from './data-folder.ts';
import { runTool } from './system/tool.ts';
import {
  controllerKeysOf,
  type Identity,
  readIdentity,
  readKeys,
  saveIdentity,
  saveKeys,
} from './identity.ts';

/** Root acts as the owner of the agent’s folder there: it follows no link that the agent's user could have laid. */
export async function asOwnerOf<Value>(folder: DataFolder, work: () => Promise<Value>): Promise<Value> {
  const { seteuid, setegid } = process;
  if (process.getuid?.() !== 0 || !seteuid || !setegid) return work();
  folder.create();
  const { uid, gid } = statSync(folder.path);
  setegid.call(process, gid);
  seteuid.call(process, uid);
  try {
    return await work();
  } finally {
    seteuid.call(process, 0);
    setegid.call(process, 0);
  }
}

/** Gives the root helper its own copy of who this device is and whom it obeys: nothing that the agent can write decides what root does. */
export async function shareEnrolment(
  agent: DataFolder,
  helper: DataFolder,
  identity: Identity,
): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new CommandError(
      'This device has a root helper: enrol as root, so that the helper learns whom to obey',
    );
  }
  const keys = await asOwnerOf(agent, async () => readKeys(agent));
  if (!keys) throw new CommandError(`The key ${agent.key} is gone: enrol anew with --force`);

  helper.create();
  const before = readIdentity(helper);
  // The numbers of another controller's orders mean nothing here.
  if (before && before.controller_id !== identity.controller_id) {
    rmSync(join(helper.path, 'orders'), { recursive: true, force: true });
  }
  saveKeys(helper, keys);
  // What the helper learned of its controller's key it does not forget, whatever the agent's file says.
  const learned = [...(before?.key_changes ?? []), ...identity.key_changes];
  const { changes } = controllerKeysOf({ ...identity, key_changes: learned }, { now: () => 0 });
  saveIdentity(helper, { ...identity, key_changes: changes });
}

/** An installed agent begins to serve as soon as it is enrolled; both programs read who they are when they start. */
export async function startServices(): Promise<void> {
  if (!existsSync('/run/systemd/system')) return;
  const units = ['muster-agent-root-helper.service', 'muster-agent.service'];
  const end = await runTool('systemctl', ['restart', ...units], { timeoutMs: 150_000 });
  if (end?.exitCode === 0) return;
  throw new CommandError(
    `This device is enrolled, but its services do not start: ${end?.stderr.trim() ?? 'no systemctl'}; see \`journalctl -u muster-agent\``,
  );
}
