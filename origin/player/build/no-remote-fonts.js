/** Stands in for lfa-ponyfill, by which JASSUB could fetch fonts from another host. */

export const queryRemoteFonts = async () => [];
