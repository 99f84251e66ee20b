/**
 * Fills a shadow root without a `<style>`: a Content-Security-Policy that has no 'unsafe-inline'
 * blocks those, but not constructed style sheets.
 *
 * media-chrome writes its templates, styles included, as HTML. vite.config.js has it call these two
 * functions instead; nothing else of it is changed.
 */

export function fill(root: ShadowRoot, html: string): void {
  const template = document.createElement("template");
  template.innerHTML = html;
  const { content } = template;
  for (const declared of content.querySelectorAll("template[shadowrootmode]")) declared.remove();
  root.adoptedStyleSheets = Array.from(content.querySelectorAll("style"), (style) => {
    style.remove();
    return sheetOf(style.textContent ?? "", style.media);
  });
  root.append(content);
}

/** What `querySelectorAll("style:not([media])")` would find, for code that goes on to `.sheet`. */
export function stylesOf(root: ShadowRoot): { sheet: CSSStyleSheet }[] {
  return root.adoptedStyleSheets.filter((sheet) => sheet.media.length === 0).map((sheet) => ({ sheet }));
}

export function sheetOf(css: string, media = ""): CSSStyleSheet {
  const sheet = new CSSStyleSheet({ media });
  sheet.replaceSync(css);
  return sheet;
}
