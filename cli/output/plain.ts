/**
 * Text from a device, made harmless for a terminal: escape sequences and other control characters could repaint the screen or type
 * commands. Tabs stay.
 */
export const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
  text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, (character) =>
    character === '\n' || character === '\r' ? ' ' : '\ufffd',
  );
