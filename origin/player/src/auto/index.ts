export { AutoChoice } from "./auto";
