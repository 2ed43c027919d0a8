// Prompts and answers lie in compressed blocks. A block is opened when one of its documents is shown, all of them when
// somebody searches, and in quiet moments before that.

const TEXTS = (() => {
  let packed = null;
  const opened = new Map();
  const ready = new Map();
  const starts = DATA.texts.starts;
  const possible = typeof DecompressionStream === "function";

  function blockOf(number) {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  function open(block) {
    if (!opened.has(block)) {
      opened.set(block, unpack(block).then((content) => {
        ready.set(block, content);
        return content;
      }));
    }
    return opened.get(block);
  }

  async function unpack(block) {
    packed = packed || JSON.parse(byId("blocks").textContent);
    const stream = new Blob([fromBase64(packed[block])]).stream().pipeThrough(new DecompressionStream("deflate"));
    const content = JSON.parse(await new Response(stream).text());
    return { prefix: content.prefix, rows: content.rows, hay: new Array(content.rows.length) };
  }

  function fromBase64(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }

  /** What a search reads: everything but the few-shot examples before the document's own part of the prompt. */
  function hay(content, place) {
    if (content.hay[place] === undefined) {
      const row = content.rows[place];
      const parts = [row.q, row.t, ...(row.c || []), ...(row.d || []), ownPart(row.p)];
      for (const side of Object.values(row.a)) parts.push(...side.o, side.x, side.e, side.r, side.v, ...(side.s || []), ...(side.h || []));
      content.hay[place] = folded(parts.flat(3).filter((part) => typeof part === "string").join("\n"));
    }
    return content.hay[place];
  }

  return {
    possible,
    blocks: starts.length,
    async row(number) {
      const block = blockOf(number);
      const content = await open(block);
      return { ...content.rows[number - starts[block]], prefix: content.prefix };
    },
    /** The row if its block is open already. */
    peek(number) {
      const block = blockOf(number);
      const content = ready.get(block);
      return content && content.rows[number - starts[block]];
    },
    open,
    /** Wait for the block of this row. The next ones are begun meanwhile. */
    async reach(number) {
      const block = blockOf(number);
      if (ready.has(block)) return;
      for (let ahead = 1; ahead <= 3 && block + ahead < starts.length; ahead++) open(block + ahead);
      await open(block);
    },
    isOpen: (number) => ready.has(blockOf(number)),
    contains(number, needle, whole) {
      const block = blockOf(number);
      const content = ready.get(block);
      if (!content) return false;
      const place = number - starts[block];
      if (hay(content, place).includes(needle)) return true;
      return whole && folded(content.prefix + flat(content.rows[place].p)).includes(needle);
    },
  };
})();

/** Case and the two ways of writing Hangul and accents make no difference to a search. */
const folded = (text) => text.normalize("NFC").toLowerCase();

/** A text that was shortened has its head, the count of what is left out, and its tail. */
const flat = (text) => (typeof text === "string" ? text : `${text[0]}\n${text[2]}`);

/** From the last blank line on: the document itself, without the examples before it. */
function ownPart(prompt) {
  const text = typeof prompt === "string" ? prompt : prompt[2];
  const cut = text.trimEnd().lastIndexOf("\n\n");
  return cut < 0 ? text : text.slice(cut);
}

async function openQuietly() {
  const quiet = window.requestIdleCallback || ((run) => setTimeout(run, 30));
  for (let block = 0; block < TEXTS.blocks; block++) {
    await new Promise((resolve) => quiet(resolve, { timeout: 2000 }));
    await TEXTS.open(block);
  }
}
