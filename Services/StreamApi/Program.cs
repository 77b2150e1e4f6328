using AspireStreaming.StreamApi;

await using var app = StreamApiApp.Create(args);
await app.RunAsync();
