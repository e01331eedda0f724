/** How a small program of the system ended; undefined when the machine does not have it. */
export interface ToolEnd {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a program of the system that answers soon, such as systemctl. Not for what people ask to run: that is `processes.ts`. */
export async function runTool(
  file: string,
  args: string[],
  options: { timeoutMs?: number } = {},
): Promise<ToolEnd | undefined> {
  const { execa } = await import('execa');
  const end = await execa(file, args, {
    reject: false,
    stdin: 'ignore',
    timeout: options.timeoutMs ?? 30_000,
    forceKillAfterDelay: 1000,
    maxBuffer: 1_000_000,
    env: { LC_ALL: 'C', SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0' },
  });
  if (end.code === 'ENOENT') return undefined;
  return {
    exitCode: end.exitCode ?? -1,
    stdout: end.stdout,
    stderr: end.timedOut ? `${file} gave no answer in time` : end.stderr || end.shortMessage || '',
  };
}
