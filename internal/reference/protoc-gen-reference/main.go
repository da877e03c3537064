// Command protoc-gen-reference is a plugin of protoc that writes docs/reference/api.md.
package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/triton-leases/tms/internal/reference"
)

func main() {
	protogen.Options{}.Run(func(plugin *protogen.Plugin) error {
		plugin.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
		page := reference.New("API tms.v1", "proto/tms/v1")
		for _, file := range plugin.Files {
			if file.Generate {
				overview(page, file)
			}
		}
		var messages []*protogen.Message
		var enums []*protogen.Enum
		for _, file := range plugin.Files {
			if !file.Generate {
				continue
			}
			for _, service := range file.Services {
				addService(page, service)
			}
			messages, enums = append(messages, file.Messages...), append(enums, file.Enums...)
		}
		page.Heading(2, "Messages")
		page.Text("JSON has the names of the fields in lowerCamelCase, such as `pageSize`. It also accepts the names of this page.")
		slices.SortFunc(messages, func(a, b *protogen.Message) int { return strings.Compare(name(a.Desc), name(b.Desc)) })
		for _, message := range messages {
			addMessage(page, message)
		}
		page.Heading(2, "Enums")
		for _, enum := range enums {
			addEnum(page, enum)
		}
		_, err := plugin.NewGeneratedFile("api.md", "").Write([]byte(page.String()))
		return err
	})
}

// overview adds the comment of a package.
func overview(page *reference.Page, file *protogen.File) {
	const packageField = 2 // of FileDescriptorProto
	for _, location := range file.Proto.GetSourceCodeInfo().GetLocation() {
		if slices.Equal(location.GetPath(), []int32{packageField}) && location.GetLeadingComments() != "" {
			comment(page, protogen.Comments(location.GetLeadingComments()))
		}
	}
}

func addService(page *reference.Page, service *protogen.Service) {
	page.Heading(2, name(service.Desc))
	comment(page, service.Comments.Leading)
	for _, method := range service.Methods {
		page.Heading(3, service.GoName+"."+name(method.Desc))
		comment(page, method.Comments.Leading)
		response := link(method.Output.Desc)
		if method.Desc.IsStreamingServer() {
			response = "stream of " + response
		}
		page.Table([]string{"HTTP", "request", "response"}, [][]string{{
			reference.Code(fmt.Sprintf("POST /%s/%s", service.Desc.FullName(), method.Desc.Name())), link(method.Input.Desc), response,
		}})
	}
}

func addMessage(page *reference.Page, message *protogen.Message) {
	page.Heading(3, name(message.Desc))
	comment(page, message.Comments.Leading)
	var rows [][]string
	for _, field := range message.Fields {
		rows = append(rows, []string{reference.Code(name(field.Desc)), typeOf(field), fmt.Sprint(field.Desc.Number()), cell(field.Comments.Leading)})
	}
	page.Table([]string{"field", "type", "number", "meaning"}, rows)
}

func addEnum(page *reference.Page, enum *protogen.Enum) {
	page.Heading(3, name(enum.Desc))
	comment(page, enum.Comments.Leading)
	var rows [][]string
	for _, value := range enum.Values {
		rows = append(rows, []string{reference.Code(name(value.Desc)), fmt.Sprint(value.Desc.Number()), cell(value.Comments.Leading)})
	}
	page.Table([]string{"value", "number", "meaning"}, rows)
}

func typeOf(field *protogen.Field) string {
	var kind string
	switch {
	case field.Message != nil:
		kind = link(field.Message.Desc)
	case field.Enum != nil:
		kind = link(field.Enum.Desc)
	default:
		kind = field.Desc.Kind().String()
	}
	switch {
	case field.Desc.IsList():
		return "list of " + kind
	case field.Desc.HasOptionalKeyword():
		return "optional " + kind
	}
	return kind
}

// link returns a link to a message or an enum of the page, and the name of another one.
func link(of protoreflect.Descriptor) string {
	if of.ParentFile().Package() != "tms.v1" {
		return reference.Code(string(of.FullName()))
	}
	return fmt.Sprintf("[%s](#%s)", of.Name(), strings.ToLower(string(of.Name())))
}

func name(of protoreflect.Descriptor) string { return string(of.Name()) }

// comment adds a comment, with its errors as a list.
func comment(page *reference.Page, text protogen.Comments) {
	for paragraph := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		var out strings.Builder
		for i, line := range strings.Split(paragraph, "\n") {
			line = strings.TrimSpace(line)
			switch code, meaning, ok := strings.Cut(line, ": "); {
			case ok && code == strings.ToUpper(code):
				out.WriteString("\n- " + reference.Code(code) + ": " + reference.Plain(meaning))
			case i == 0:
				out.WriteString(reference.Plain(line))
			default:
				out.WriteString(" " + reference.Plain(line))
			}
		}
		page.Text(out.String())
	}
}

// cell returns a comment for a cell.
func cell(text protogen.Comments) string {
	return reference.Plain(strings.Join(strings.Fields(string(text)), " "))
}
