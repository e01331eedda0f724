/** A configuration that cannot be used; each problem names file and line, or variable, and key. */
export class ConfigError extends Error {
  constructor(problems: string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}
