export { FilterOverlay } from "./overlay";
