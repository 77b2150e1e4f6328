global using AspireStreaming.TestSupport;
