using AspireStreaming.EventArchiver;

await using var app = ArchiverApp.Create(args);
await app.RunAsync();
