import type { AgentTask, TranscriptMessage } from '../../shared/api/assistant.ts';
import type { Run } from '../../shared/api/runs.ts';
import type { Paint } from '../output/paint.ts';
import { plain } from '../output/plain.ts';
import type { Cell } from '../output/view.ts';

/** What a run shows of the prompt that it works on. */
export function agentTaskFields(task: Run['agent_task'], paint: Paint): [string, Cell][] {
  if (!task) return [];
  return [
    ['Prompt', task.prompt],
    ['State', task.status],
    ['Steps', `${task.steps} of at most ${task.max_steps}`],
    ['Tokens', `${task.tokens_in} in, ${task.tokens_out} out, of at most ${task.max_tokens}`],
    ['May run unasked', task.allow_task_types.join(', ')],
    ...task.proposals.map((one): [string, Cell] => ['Proposed', proposalText(one)]),
    ['Answer', task.answer],
    ['Error', task.error_message],
    ['Error code', task.error_code],
    ['Started', paint.time(task.started_at)],
    ['Deadline', paint.time(task.completed_at === null ? task.deadline : null)],
  ];
}

export function proposalText({ task_type, status, question, run, decided_by }: Proposed): string {
  if (status === 'waiting') return `${task_type} waits: muster question answer ${question} approve|reject`;
  const who = decided_by === null ? '' : `, ${decided_by}`;
  return `${task_type} ${status}${who}${run === null ? '' : `, run ${run}`}`;
}

type Proposed = AgentTask['proposals'][number];

/** One message as text, for people: who said it, what, and which tools it asks for. */
export function messageText({ role, text, tool_calls = [] }: TranscriptMessage): string {
  const calls = tool_calls.map((call) => `→ ${call.name} ${call.arguments}`);
  const lines = [...(text === '' ? [] : text.split('\n')), ...calls];
  return lines.map((line) => `${role.padEnd(9)} ${plain(line)}\n`).join('');
}
