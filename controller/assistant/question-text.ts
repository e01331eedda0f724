/** Everything that a reader would not see, or that would change how the rest is seen: controls, marks of direction, line separators. */
const unseen = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

export interface Proposed {
  runId: string;
  createdBy: string;
  taskType: string;
  /** All of them: nobody can approve what is not shown. */
  devices: string[];
  /** Without the targets. */
  parameters: object;
  reason: string;
}

/** What a person is asked to approve: what, where, with which parameters, and why the model wants it. */
export function questionText({ runId, createdBy, taskType, devices, parameters, reason }: Proposed): string {
  const count = devices.length === 1 ? '1 device' : `${devices.length} devices`;
  return [
    `The agent task ${runId} of ${visible(createdBy)} proposes ${taskType} on ${count}: ${devices.map(visible).join(', ')}`,
    `Parameters: ${visible(JSON.stringify(parameters))}`,
    `Why, in the words of the model: ${visible(JSON.stringify(reason))}`,
  ].join('\n');
}

const visible = (text: string): string =>
  text.replace(unseen, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
