module github.com/mettle-go/mettle/cmd/mettle

go 1.26
