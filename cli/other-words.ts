/** Words for one thing: people know some of them from other tools. */
const alike = [
  ['list', 'ls'],
  ['describe', 'show', 'get', 'info', 'inspect'],
  ['create', 'add', 'new', 'put', 'set'],
  ['remove', 'delete', 'rm', 'unset', 'revoke', 'yank'],
  ['update', 'change', 'edit', 'set'],
  ['restart', 'reboot'],
  ['poweroff', 'shutdown'],
];

/** What a command is called that somebody knows by another word. */
export function otherWord(word: string, commands: string[]): string | undefined {
  return alike
    .filter((words) => words.includes(word))
    .flatMap((words) => words.filter((other) => commands.includes(other)))[0];
}
