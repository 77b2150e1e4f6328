using AspireStreaming.PublisherApi;

await using var app = PublisherApp.Create(args);
await app.RunAsync();
