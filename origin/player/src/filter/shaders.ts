/**
 * The last pass, in both shading languages: the network's picture brought to the target's size by
 * Catmull-Rom, stretched where it shrinks (where the sizes agree it changes nothing), highlights
 * clamped, and blended with the bilinear enlargement of the source. And the greatest luma of 5×5
 * pixels, by which highlights are clamped.
 */

export const WGSL_CORNERS = /* wgsl */ `
@vertex fn corners(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
  return vec4f(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}`;

export const WGSL_PEAKS = /* wgsl */ `${WGSL_CORNERS}
@group(0) @binding(0) var source: texture_2d<f32>;

@fragment fn paint(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let last = vec2i(textureDimensions(source)) - 1;
  var peak = 0.0;
  for (var y = -2; y <= 2; y++) {
    for (var x = -2; x <= 2; x++) {
      let pixel = textureLoad(source, clamp(vec2i(at.xy) + vec2i(x, y), vec2i(0), last), 0);
      peak = max(peak, dot(pixel.rgb, vec3f(0.299, 0.587, 0.114)));
    }
  }
  return vec4f(peak);
}`;

export const WGSL_FINISH = /* wgsl */ `${WGSL_CORNERS}
struct Settings { target_size: vec2f, strength: f32, clamps: f32 }
@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var bilinear: sampler;
@group(0) @binding(2) var source: texture_2d<f32>;
@group(0) @binding(3) var made: texture_2d<f32>;
@group(0) @binding(4) var peaks: texture_2d<f32>;

fn cubic(distance: vec2f) -> vec2f {
  let d = abs(distance);
  let near = (1.5 * d - 2.5) * d * d + 1.0;
  let far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0;
  return select(select(vec2f(0.0), far, d < vec2f(2.0)), near, d < vec2f(1.0));
}

fn resampled(uv: vec2f) -> vec3f {
  let size = vec2f(textureDimensions(made));
  let stretch = clamp(size / settings.target_size, vec2f(1.0), vec2f(4.0));
  let centre = uv * size - 0.5;
  let last = vec2i(size) - 1;
  let first = vec2i(ceil(centre - 2.0 * stretch));
  let end = vec2i(floor(centre + 2.0 * stretch));
  var sum = vec4f(0.0);
  for (var y = first.y; y <= end.y; y++) {
    for (var x = first.x; x <= end.x; x++) {
      let weight = cubic((vec2f(f32(x), f32(y)) - centre) / stretch);
      let pixel = textureLoad(made, clamp(vec2i(x, y), vec2i(0), last), 0).rgb;
      sum += vec4f(pixel, 1.0) * weight.x * weight.y;
    }
  }
  return sum.rgb / sum.a;
}

@fragment fn paint(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let uv = at.xy / settings.target_size;
  var picture = resampled(uv);
  let limit = textureSampleLevel(peaks, bilinear, uv, 0.0).r;
  picture -= settings.clamps * max(dot(picture, vec3f(0.299, 0.587, 0.114)) - limit, 0.0);
  let plain = textureSampleLevel(source, bilinear, uv, 0.0).rgb;
  return vec4f(mix(plain, picture, settings.strength), 1.0);
}`;

export const GLSL_CORNERS = /* glsl */ `#version 300 es
void main() {
  gl_Position = vec4(float(gl_VertexID & 1) * 4.0 - 1.0, float(gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}`;

export const GLSL_FINISH = /* glsl */ `#version 300 es
precision highp float;
precision highp sampler2D;
uniform vec2 made_size;
uniform float strength;
uniform sampler2D source, made;
out vec4 painted;

vec2 cubic(vec2 distance) {
  vec2 d = abs(distance);
  vec2 near = (1.5 * d - 2.5) * d * d + 1.0;
  vec2 far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0;
  return mix(mix(vec2(0.0), far, lessThan(d, vec2(2.0))), near, lessThan(d, vec2(1.0)));
}

vec3 resampled(vec2 uv) {
  vec2 size = vec2(textureSize(made, 0));
  vec2 stretch = clamp(size / made_size, 1.0, 4.0);
  vec2 centre = uv * size - 0.5;
  ivec2 last = ivec2(size) - 1;
  ivec2 first = ivec2(ceil(centre - 2.0 * stretch));
  ivec2 end = ivec2(floor(centre + 2.0 * stretch));
  vec4 sum = vec4(0.0);
  for (int y = first.y; y <= end.y; y++) {
    for (int x = first.x; x <= end.x; x++) {
      vec2 weight = cubic((vec2(x, y) - centre) / stretch);
      vec3 pixel = texelFetch(made, clamp(ivec2(x, y), ivec2(0), last), 0).rgb;
      sum += vec4(pixel, 1.0) * weight.x * weight.y;
    }
  }
  return sum.rgb / sum.a;
}

void main() {
  vec2 uv = vec2(gl_FragCoord.x, made_size.y - gl_FragCoord.y) / made_size;
  painted = vec4(mix(texture(source, uv).rgb, resampled(uv), strength), 1.0);
}`;
