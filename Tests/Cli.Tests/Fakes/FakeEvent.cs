namespace AspireStreaming.Cli.Tests.Fakes;

internal sealed record FakeEvent(string Position, string Type, string Data, string Json);
