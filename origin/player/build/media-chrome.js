import { fileURLToPath } from "node:url";

const HELPERS = fileURLToPath(new URL("../src/player/shadow.ts", import.meta.url));

/** [what media-chrome says, what it says here]: for a strict Content-Security-Policy, and for screen readers. */
const EDITS = [
  [/this\.shadowRoot\.setHTMLUnsafe \? .+ : this\.shadowRoot\.innerHTML = (.+);/g, "fill(this.shadowRoot, $1);"],
  [/this\.shadowRoot\.innerHTML = (.+);/g, "fill(this.shadowRoot, $1);"],
  [/<img crossorigin/g, '<img alt="" crossorigin'],
  [/styleParent\.querySelectorAll\("style:not\(\[media\]\)"\)/g, "stylesOf(styleParent)"],
];

/** Makes media-chrome use constructed style sheets (see src/player/shadow.ts); an update that differs fails here. */
export function mediaChromeWithoutInlineStyles() {
  return {
    name: "media-chrome-without-inline-styles",
    transform(code, id) {
      if (!/\/media-chrome\/dist\/.+\.js$/.test(id)) return null;
      const edited = EDITS.reduce((text, [from, to]) => text.replace(from, to), code);
      if (/setHTMLUnsafe|querySelectorAll\("style/.test(edited)) this.error(`${id} has changed: see build/media-chrome.js`);
      if (edited === code) return null;
      return { code: `import { fill, stylesOf } from ${JSON.stringify(HELPERS)};\n${edited}`, map: null };
    },
  };
}
