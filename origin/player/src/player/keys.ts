/** The keyboard. */

interface Key {
  label: string;
  onDown: (event: KeyboardEvent) => void;
  onUp?: (() => void) | undefined;
}

export class Keys {
  private readonly keys = new Map<string, Key>();
  private readonly down = new Set<string>();

  constructor(element: HTMLElement) {
    element.addEventListener("keydown", this.press);
    element.addEventListener("keyup", this.release);
    window.addEventListener("blur", this.releaseAll);
  }

  destroy(): void {
    window.removeEventListener("blur", this.releaseAll);
  }

  /** `key` is that of the event, letters in lower case. */
  add(key: string, label: string, onDown: (event: KeyboardEvent) => void, onUp?: () => void): void {
    this.keys.set(key, { label, onDown, onUp });
  }

  /** [keys, what they do] for the help. */
  get all(): [string, string][] {
    const byLabel = new Map<string, string[]>();
    for (const [key, { label }] of this.keys) byLabel.set(label, [...(byLabel.get(label) ?? []), nameOf(key)]);
    return [...byLabel].map(([label, keys]) => [keys.length > 3 ? `${keys[0]} – ${keys.at(-1)}` : keys.join("  "), label]);
  }

  readonly press = (event: KeyboardEvent): void => {
    const name = normal(event.key);
    const key = this.keys.get(name);
    if (!key || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTaken(event.composedPath()[0], event.key)) return;
    event.preventDefault();
    if (key.onUp && this.down.has(name)) return;
    this.down.add(name);
    key.onDown(event);
  };

  readonly release = (event: KeyboardEvent): void => {
    const name = normal(event.key);
    if (this.down.delete(name)) this.keys.get(name)?.onUp?.();
  };

  private readonly releaseAll = (): void => {
    for (const name of this.down) this.keys.get(name)?.onUp?.();
    this.down.clear();
  };
}

const normal = (key: string): string => (key.length === 1 ? key.toLowerCase() : key);

const NAMES: Record<string, string> = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
const nameOf = (key: string): string => NAMES[key] ?? key.toUpperCase();

/** Whether the element that has the focus needs the key for itself. */
function isTaken(target: EventTarget | undefined, key: string): boolean {
  if (!(target instanceof Element)) return false;
  const moves = /^(Arrow|Home|End|Page)/.test(key);
  if (target.closest('button, a, summary, media-play-button, [role="button"]')) return key === " " || key === "Enter";
  if (target instanceof HTMLInputElement && /^(range|radio)$/.test(target.type)) return moves || (key === " " && target.type === "radio");
  if (target instanceof HTMLInputElement && target.type === "checkbox") return key === " ";
  return target.matches("input, select, textarea") || (target as HTMLElement).isContentEditable;
}
