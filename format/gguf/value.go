package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// kind is the type of a field's value, by the format's number.
type kind uint32

const (
	kindU32    kind = 4
	kindI32    kind = 5
	kindF32    kind = 6
	kindBool   kind = 7
	kindString kind = 8
	kindArray  kind = 9
	kindU64    kind = 10
)

// appendField appends a key and its value; an error for a type that Field does not list.
func appendField(b []byte, f Field) ([]byte, error) {
	b = appendString(b, f.Key)
	switch v := f.Value.(type) {
	case uint32:
		return appendU32(appendU32(b, uint32(kindU32)), v), nil
	case int32:
		return appendU32(appendU32(b, uint32(kindI32)), uint32(v)), nil
	case float32:
		return appendU32(appendU32(b, uint32(kindF32)), math.Float32bits(v)), nil
	case bool:
		return appendBool(appendU32(b, uint32(kindBool)), v), nil
	case string:
		return appendString(appendU32(b, uint32(kindString)), v), nil
	case uint64:
		return binary.LittleEndian.AppendUint64(appendU32(b, uint32(kindU64)), v), nil
	case []uint32:
		return appendArray(b, kindU32, v, appendU32), nil
	case []int32:
		return appendArray(b, kindI32, v, func(b []byte, x int32) []byte { return appendU32(b, uint32(x)) }), nil
	case []float32:
		return appendArray(b, kindF32, v, func(b []byte, x float32) []byte { return appendU32(b, math.Float32bits(x)) }), nil
	case []bool:
		return appendArray(b, kindBool, v, appendBool), nil
	case []string:
		return appendArray(b, kindString, v, appendString), nil
	}
	return nil, fmt.Errorf("field %q: a %T cannot be written", f.Key, f.Value)
}

func appendU32(b []byte, x uint32) []byte { return binary.LittleEndian.AppendUint32(b, x) }

func appendBool(b []byte, x bool) []byte {
	if x {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendArray[T any](b []byte, k kind, values []T, one func([]byte, T) []byte) []byte {
	b = appendU32(appendU32(b, uint32(kindArray)), uint32(k))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(values)))
	for _, v := range values {
		b = one(b, v)
	}
	return b
}

// value reads one value of kind k.
func (c *cursor) value(k kind) any {
	switch k {
	case kindU32:
		return c.u32()
	case kindI32:
		return int32(c.u32())
	case kindF32:
		return math.Float32frombits(c.u32())
	case kindBool:
		return c.bool()
	case kindString:
		return c.string(StringMax)
	case kindU64:
		return c.u64()
	case kindArray:
		return c.array()
	}
	c.fail("value type %d is not known", k)
	return nil
}

func (c *cursor) array() any {
	k := kind(c.u32())
	n := c.u64()
	switch k {
	case kindU32:
		return list(c, n, 4, c.u32)
	case kindI32:
		return list(c, n, 4, func() int32 { return int32(c.u32()) })
	case kindF32:
		return list(c, n, 4, func() float32 { return math.Float32frombits(c.u32()) })
	case kindBool:
		return list(c, n, 1, c.bool)
	case kindString:
		return list(c, n, 8, func() string { return c.string(StringMax) })
	}
	c.fail("arrays of value type %d are not known", k)
	return nil
}

// list reads n values that take at least size bytes each, which is checked before there is
// memory for them.
func list[T any](c *cursor, n uint64, size int, one func() T) []T {
	if n > ArrayMax || int(n) > len(c.b)/size {
		c.fail("an array of %d values is too long", n)
		return nil
	}
	values := make([]T, 0, n)
	for range n {
		values = append(values, one())
	}
	return values
}
