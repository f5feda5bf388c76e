module talosmq/driver

go 1.26.0
