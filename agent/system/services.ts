import { TaskError } from '../../shared/errors.ts';
import type { Services } from './system.ts';
import { runTool } from './tool.ts';

/** Services as systemd knows them. */
export function createServices(systemctl = 'systemctl'): Services {
  return {
    async show(unit) {
      const end = await runTool(
        systemctl,
        ['show', '--property=LoadState,ActiveState,SubState', '--', unit],
        { timeoutMs: 10_000 },
      );
      if (!end)
        throw new TaskError('no_systemd', `The state of ${unit} is unknown: this machine has no systemctl`);
      if (end.exitCode !== 0) {
        throw new TaskError(
          'no_systemd',
          `The state of ${unit} is unknown: ${end.stderr.trim().split('\n')[0]}`,
        );
      }

      const values = new Map(end.stdout.split('\n').map((line) => splitOnce(line, '=')));
      const state = values.get('ActiveState') ?? 'unknown';
      return {
        known: values.get('LoadState') !== 'not-found',
        // A unit that reloads its configuration does its work meanwhile.
        active: state === 'active' || state === 'reloading',
        state,
        subState: values.get('SubState') ?? 'unknown',
      };
    },
  };
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
