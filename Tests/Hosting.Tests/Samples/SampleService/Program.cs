using System.Collections;
using Microsoft.AspNetCore.Http.HttpResults;

var builder = WebApplication.CreateBuilder(args);
var app = builder.Build();
var isHealthy = true;

app.MapGet("/health", Results<Ok, StatusCodeHttpResult> () => isHealthy ? TypedResults.Ok() : TypedResults.StatusCode(503));
app.MapPost("/health/{value:bool}", (bool value) => isHealthy = value);
app.MapGet("/pid", () => Environment.ProcessId);
app.MapGet("/args", () => args);
app.MapGet("/environment", () => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
    .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value));
app.MapPost("/exit/{code:int}", (int code) => Environment.Exit(code));

app.Run();
