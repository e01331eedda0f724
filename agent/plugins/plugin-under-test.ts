import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PluginManifest } from '../../shared/plugin.ts';
import { pluginContract } from '../../shared/node/plugin-contract.ts';
import { systemClock } from '../../shared/node/system-clock.ts';
import { type DummyContext, dummyContext } from '../handlers/dummy-context.ts';
import type { Handler } from '../handlers/handler.ts';
import { createProcesses } from '../system/processes.ts';
import type { System } from '../system/system.ts';
import { pluginHandler } from './plugin-handlers.ts';

/** Who every machine has. */
const user = 'nobody';

/** A plugin `probe` with type TRY, whose program is a script of `sh`; what it reads first is in `$line`. */
export function tryHandler(folder: string, script: string, over: Record<string, unknown> = {}): Handler {
  const manifest = writePlugin(folder, script, over);
  const contract = pluginContract(manifest, 'TRY');
  return pluginHandler({ plugin: { folder, manifest }, type: 'TRY', contract }, [user]);
}

export function writePlugin(
  folder: string,
  script: string,
  { type, ...over }: Record<string, unknown> = {},
): PluginManifest {
  const manifest = {
    ...{ name: 'probe', version: '1.0.0', summary: 'For tests', program: 'bin/probe', user },
    task_types: { TRY: { summary: 'Tries', parameters: { type: 'object' }, ...(type as object) } },
    ...over,
  };
  mkdirSync(join(folder, 'bin'), { recursive: true });
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'bin/probe'), `#!/bin/sh\nread -r line\n${script}\n`);
  chmodSync(join(folder, 'bin/probe'), 0o755);
  return PluginManifest.parse(manifest);
}

/** A handler’s context with real processes and real time. */
export function realContext(over: Partial<DummyContext<System>> = {}): DummyContext {
  const context = dummyContext();
  const system = { ...context.system, processes: createProcesses() };
  return Object.assign(context, { system, clock: systemClock, ...over });
}
