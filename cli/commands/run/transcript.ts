import type { Command } from '@commander-js/extra-typings';
import type { TranscriptMessage } from '../../../shared/api/assistant.ts';
import type { Client } from '../../client/client.ts';
import type { Open } from '../../environment.ts';
import { messageText } from '../../views/agent-task.ts';

export function addRunTranscript(group: Command, open: Open): void {
  group
    .command('transcript')
    .description('Print all that the model of an agent task was told, asked for and saw')
    .argument('<run>', 'id of the run')
    .action(async (id) => {
      const { client, output } = await open();
      const messages = await allMessages(client, id);
      if (output.isJson) output.json(messages);
      else output.data(messages.map(messageText).join(''));
    });
}

async function allMessages(client: Client, run: string): Promise<TranscriptMessage[]> {
  const messages: TranscriptMessage[] = [];
  for (let after = 0; ; ) {
    const page = await client.runs.transcript(run, after);
    messages.push(...page.items);
    if (page.items.length === 0 || page.complete) return messages;
    after = page.next;
  }
}
