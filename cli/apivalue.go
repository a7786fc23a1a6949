package cli

import (
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// apiValue returns an SDK output as maps and slices with the API's own member names, which
// are the Go names with a small first letter. Members without a value and the SDK's own
// ResultMetadata are left out; the SDK marks a union's member by its type's name. A value
// that knows JSON names itself is kept as it is.
func apiValue(v any) any { return apiOf(reflect.ValueOf(v)) }

func apiOf(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Invalid:
		return nil
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return apiOf(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Interface()
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = apiOf(v.Index(i))
		}
		return list
	case reflect.Map:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = apiOf(it.Value())
		}
		return m
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return t.Format(time.RFC3339Nano)
		}
		return apiStruct(v)
	}
	return v.Interface()
}

func apiStruct(v reflect.Value) any {
	m := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" || empty(v.Field(i)) {
			continue
		}
		m[memberName(f)] = apiOf(v.Field(i))
	}
	if _, member, ok := strings.Cut(v.Type().Name(), "Member"); ok && len(m) == 1 && m["value"] != nil {
		return map[string]any{lowerFirst(member): m["value"]}
	}
	return m
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map:
		return v.IsNil()
	case reflect.Slice:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0 // the SDK's enums: an absent one is ""
	case reflect.Struct:
		return v.NumField() == 0 // the SDK's noSmithyDocumentSerde
	}
	return false
}

func memberName(f reflect.StructField) string {
	if tag := f.Tag.Get("json"); tag != "" {
		name, _, _ := strings.Cut(tag, ",")
		return name
	}
	return lowerFirst(f.Name)
}

func lowerFirst(s string) string {
	if s == strings.ToUpper(s) {
		return strings.ToLower(s) // an abbreviation
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
