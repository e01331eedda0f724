/** Whether an absolute path matches a pattern of a profile: `*` stands for anything within one name, but not for a leading dot. */
export function matchesGlob(glob: string, path: string): boolean {
  const patterns = glob.split('/');
  const names = path.split('/');
  return (
    patterns.length === names.length && patterns.every((pattern, index) => matchesName(pattern, names[index]))
  );
}

function matchesName(pattern: string, name = ''): boolean {
  if (!pattern.includes('*')) return pattern === name;
  if (pattern.startsWith('*') && name.startsWith('.')) return false;
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop() ?? '';
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last))
    return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
