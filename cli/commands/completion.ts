import { Argument } from '@commander-js/extra-typings';
import type { GroupParts } from './groups.ts';

export function addCompletion({ command, terminal, loadAll }: GroupParts): void {
  command
    .addArgument(new Argument('<shell>', 'your shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', '\nFor example, in ~/.bashrc: source <(muster completion bash)')
    .action(async (shell) => {
      const { printCompletionScript } = await import('../completion.ts');
      await loadAll();
      printCompletionScript(shell, terminal.stdout);
    });
}
