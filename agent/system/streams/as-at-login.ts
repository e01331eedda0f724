/**
 * What goes before a program of a session, so that it begins as after a login: its files are readable to others unless somebody says
 * otherwise, and when memory runs out it is not spared as the agent itself is. The agent's own files are its own.
 */
export const asAtLogin = [
  '/bin/sh',
  '-c',
  'umask 022; { read -r spared </proc/self/oom_score_adj; [ "$spared" -ge 0 ] || echo 0 >/proc/self/oom_score_adj; } 2>/dev/null; exec "$@"',
  'sh',
] as const;
