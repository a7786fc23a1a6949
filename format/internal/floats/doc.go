// Package floats turns float32 into the bytes of the number types that model files hold, and
// back: float32, IEEE half and bfloat16, little-endian. It knows no file format.
//
// Decoding is exact. Encoding rounds to nearest, ties to even; a NaN stays a NaN. The caller
// makes the lengths right; a slice that is too short is a panic.
package floats
