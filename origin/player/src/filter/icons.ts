/** Data of a path in a 24×24 box: a small square that becomes a large one. */
export const FILTER =
  "M4 4h16v16h-7v-1.6h5.4V5.6H5.6V11H4zm0 9h7v7H4zm1.6 1.6v3.8h3.8v-3.8zM12 8h4.5v4.5h-1.6v-1.8l-3.1 3.1-1.1-1.1 3.1-3.1H12z";
