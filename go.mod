module github.com/mettle-go/mettle

go 1.26
