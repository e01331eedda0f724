/** Names longer than this are not compared: they are compared letter by letter with many. */
const maxLength = 64;

/** What somebody who wrote `word` most likely meant; undefined when none of the names is near. Ties go to the first. */
export function closest(word: string, names: Iterable<string>): string | undefined {
  if (word.length > maxLength) return undefined;
  const written = word.toLowerCase();
  let best: string | undefined;
  // A third of the letters may be wrong: more is another word.
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    if (Math.abs(name.length - written.length) >= bestDistance) continue;
    const distance = editDistance(written, name.toLowerCase(), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** Letters to add, drop, change or swap with their neighbour; `enough` when it is that or more. */
function editDistance(left: string, right: string, enough: number): number {
  let before: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const isSame = left[row - 1] === right[column - 1];
      const isSwapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      next[column] = Math.min(
        (last[column] ?? 0) + 1,
        (next[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped && row > 1 && column > 1 ? (before[column - 2] ?? 0) + 1 : enough,
      );
    }
    if (Math.min(...next) >= enough) return enough;
    [before, last] = [last, next];
  }
  return last[right.length] ?? enough;
}
